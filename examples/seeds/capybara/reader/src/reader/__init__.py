"""Finds the document in a picture and writes it down flat."""

import sys


def main():
    """``flatten PICTURE OUT``."""
    import capybara
    from docaligner import DocAligner

    picture = capybara.imread(sys.argv[1])
    corners = DocAligner()(picture)
    capybara.imwrite(capybara.imwarp_quadrangle(picture, corners), sys.argv[2])
