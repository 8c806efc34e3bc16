# name: check_violation
# result: none
update Account filter .name = 'ada' set { balance := -1 }
