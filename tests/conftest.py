"""Libraries that must be loaded in a certain order."""

# Both bring an LLVM of their own, and loading libRoadRunner after TensorFlow ends the process.
import roadrunner  # noqa: F401
