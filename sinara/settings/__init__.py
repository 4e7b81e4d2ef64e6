"""Where each env lives and how runs behave: ``sinara.toml`` and ``SINARA_*``.

The nearest ``sinara.toml`` at or above the step's folder is read, and nothing is merged into
it but the environment, which wins::

    strict_params = true              SINARA_STRICT_PARAMS=true
    cell_timeout = 600                SINARA_CELL_TIMEOUT=600          seconds, 0 for no limit

    [envs]
    user = "~/data"                   SINARA_ENV_USER=/home/ann/data
    [envs.prod]
    root = "s3://bucket/prod"         SINARA_ENV_PROD=s3://bucket/prod
    tmp = "/scratch/prod"             SINARA_TMP_PROD=/scratch/prod
    storage_options = { client_kwargs = { endpoint_url = "https://s3.example.org" } }

    [substeps."train.ipynb"]          of every step; "model_train/train.ipynb": of that one
    memory = "2 GB"
    retries = 2

    [images]
    base = "registry.example.org/python:3.11-slim@sha256:…"   SINARA_IMAGES_BASE=…
    registry = "registry.example.org/models"                  SINARA_IMAGES_REGISTRY=…

A relative root counts from the file that holds it. With no settings at all the data lies
beside the steps, in ``<parent of the step's folder>/sinara_data/<env>``.
"""

from sinara.settings.compat import SinaraSettings, _SinaraSettings, default_step_name
from sinara.settings.conditions import Condition
from sinara.settings.load import FILE_NAME, find_settings_file, load_settings
from sinara.settings.values import (
    RETRY_CAUSES,
    EnvSettings,
    ImageSettings,
    Options,
    Settings,
    StepOptions,
    get_user,
)

__all__ = [
    "FILE_NAME",
    "RETRY_CAUSES",
    "Condition",
    "EnvSettings",
    "ImageSettings",
    "Options",
    "Settings",
    "SinaraSettings",
    "StepOptions",
    "_SinaraSettings",
    "default_step_name",
    "find_settings_file",
    "get_user",
    "load_settings",
]
