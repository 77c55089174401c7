"""Chapter 5b: experiments that pin rate constants."""
