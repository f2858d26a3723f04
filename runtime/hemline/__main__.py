"""`python -m hemline`, where the console script is not on the path."""

import sys

from hemline.start import main

sys.exit(main())
