# name: deferrable
# result: one bool
# none: EdgeDB has no deferrable transactions that a text could see
