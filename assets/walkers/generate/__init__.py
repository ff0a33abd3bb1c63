"""Renders Walkers from MakeHuman's CC0 meshes: people, streets, cameras, images, label maps and records.

A tool of the data set; nothing of isp_core, eval or app imports it. The order of reading follows an image's making:
meshes -> library -> body -> pose -> garments / belongings -> person -> gait -> identities -> streets -> shading ->
image -> sensor -> shots -> dataset -> __main__. Lengths of people are decimetres until `person.place`, metres after;
y is up. All randomness comes from one seed.
"""
