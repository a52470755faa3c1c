"""The contract between the YMIR platform and an executor's image, as data, formats and rules. Pure."""
