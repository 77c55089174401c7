"""Keras and its backend, loaded once and quietly, for the modules that need them."""

from kinetlib.records import quiet

with quiet.native_logs():
    try:
        import keras
    except ImportError as error:
        raise ImportError(
            "networks are built and trained by Keras, which is not installed: "
            "pip install 'kinetlib[train]'"
        ) from error

__all__ = ["keras"]
