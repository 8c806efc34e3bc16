# name: set_balance
# args: name str, balance int64
# result: none
update Account filter .name = <str>$0 set { balance := <int64>$1 }
