#!/bin/bash
check_driver() {
  if mthreads-gmi | grep -q "Driver Version"; then
    echo "driver ... OK"
  else
    echo "driver ... Failed"
  fi
}
check_compile() {
  mcc test_musa.mu -o test_musa -lmusart
  ./test_musa
  if [ $? -eq 1 ]; then
    echo "compile ... Failed"
  fi
}
check_driver
check_compile
/bin/bash
