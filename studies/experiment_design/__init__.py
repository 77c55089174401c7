"""Chapter 5b: experiments that tell mechanisms apart."""
