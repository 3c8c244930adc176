# The pinned Ray with this project and all that it needs: nodes of cluster.yaml and docs/rayjob.yaml
# install nothing when they start.
#
#   docker build --tag REGISTRY/scgan:0.1.0-ray2.60.0-cpu .
#   docker build --tag REGISTRY/scgan:0.1.0-ray2.60.0-gpu --build-arg RAY=2.60.0-py311-gpu \
#       --build-arg TORCH_INDEX=https://pypi.org/simple .
ARG RAY=2.60.0-py311-cpu
FROM rayproject/ray:${RAY}

# Where PyTorch comes from: PyPI's own brings CUDA, which a head does without.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
# Of pyproject.toml; postgres: a search's --study-storage, MLflow's database without its server.
ARG EXTRAS=all,postgres

WORKDIR /home/ray/scgan

# What changes seldom first, so that a changed source file makes a layer of a megabyte.
COPY --chown=ray constraints.txt pyproject.toml README.md LICENSE ./
COPY --chown=ray scgan/__init__.py scgan/__init__.py
RUN pip install --no-cache-dir --no-deps --index-url ${TORCH_INDEX} "$(grep '^torch==' constraints.txt)"
RUN pip install --no-cache-dir --constraint constraints.txt ".[${EXTRAS}]"

COPY --chown=ray scgan scgan
COPY --chown=ray ray_jobs ray_jobs
RUN pip install --no-cache-dir --no-deps --force-reinstall .

# Here as on a node: all imports, and the commands that jobs call.
RUN python -c "import scgan, ray, mlflow, optuna, boto3, psycopg2" && scgan --help > /dev/null
