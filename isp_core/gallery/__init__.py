"""Galleries to search by Eq. 10: candidates by global and foreground features, the best of them ranked exactly.

Two engines. A fixed gallery is indexed in memory by FAISS (`GalleryIndex`, index.py), which is fastest. One whose
images come and go, or that outgrows a machine, is kept in a Milvus store (store.py): a local folder, a server or a
cluster, by the same calls. Out of scope: Eq. 10 itself (isp_core.matching).

>>> gallery = run.embeddings("gallery", epoch)                       # doctest: +SKIP
>>> index = GalleryIndex.build(gallery)                              # doctest: +SKIP
>>> found = index.search(parser.embed("a.jpg"), k=12)                # doctest: +SKIP
>>> found.rows[0], found.distances[0]    # rows of the gallery's records, nearest first  # doctest: +SKIP
"""

from isp_core.gallery.index import CANDIDATES, FLAT_UP_TO, Found, GalleryIndex, candidate_features

__all__ = ["CANDIDATES", "FLAT_UP_TO", "Found", "GalleryIndex", "candidate_features"]
