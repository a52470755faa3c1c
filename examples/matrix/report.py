"""Print what the image holds, and use it."""

import numpy as np
from matrix_checks import main

main()
print("trace", int(np.eye(4).trace()))
