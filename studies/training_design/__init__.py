"""Chapter 5a: which simulated samples to train on."""
