"""Print what the image holds, and use it."""

import numpy
from matrix_checks import main

main()
print("trace", int(numpy.eye(4).trace()))
