"""What bad files and broken input do to the package: every reader attacked with what is drawn."""
