# The app, run by a user without rights: `docker build -t isp . && docker run --rm -p 127.0.0.1:8501:8501 isp`
# Own runs and data: add `-v "$PWD/runs:/srv/runs:ro" -v "$PWD/DATA:/data:ro"` and, at the end, `--data /data`.
FROM python:3.12-slim

# OpenMP, which the compiled libraries use
RUN apt-get update && apt-get install -y --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/*

# PyTorch without CUDA: a tenth of the size. Leave these two lines out on a machine with a GPU
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
RUN pip install --no-cache-dir torch torchvision --index-url "$TORCH_INDEX"

COPY pyproject.toml setup.py README.md LICENSE NOTICE /source/
COPY isp_core /source/isp_core
COPY eval /source/eval
COPY app /source/app
COPY assets /source/assets
RUN pip install --no-cache-dir "/source[app]" && rm -rf /source

RUN useradd --create-home --uid 1000 isp && mkdir /srv && chown isp /srv
USER isp
WORKDIR /srv
EXPOSE 8501
# inside the container all addresses; which machines reach it is decided by `docker run -p`
ENTRYPOINT ["isp", "app", "--share-on", "0.0.0.0"]
HEALTHCHECK CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8501/_stcore/health', timeout=5)"]
