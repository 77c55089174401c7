"""The book as a program: parameters, profiles, executed notebooks, the rebuild, the pages."""
