"""Libraries that must be loaded in a certain order, and no test that fails on a busy machine."""

# Both bring an LLVM of their own, and loading libRoadRunner after TensorFlow ends the process.
import roadrunner  # noqa: F401
from hypothesis import settings

settings.register_profile("kinetlib", deadline=None)
settings.load_profile("kinetlib")
