"""What makes the records in ``data/studies`` and ``data/benchmarks``; chapters show them."""
