# name: take_from_balance
# args: name str, amount int64
# result: none
update Account filter .name = <str>$0 set { balance := .balance - <int64>$1 }
