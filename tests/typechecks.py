"""The type checker that the tests run the package under: an int is a float, as typing says."""

from beartype import BeartypeConf, beartype

checked = beartype(conf=BeartypeConf(is_pep484_tower=True))
