"""Problems in PEtab, the format of systems biology for models, data and parameters: out and in."""
