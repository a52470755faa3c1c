"""The platform's reading of what an executor writes, made from the tables of section 3 and of nothing else.

No module of the package under test is imported here.
"""
