"""Networks for the int8 doctor: sound ones, and ones that are spoilt on purpose."""
