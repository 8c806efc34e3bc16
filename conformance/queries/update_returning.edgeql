# name: update_returning
# args: name str, amount int64
# result: optional {name: str, balance: int64}
select (update Account filter .name = <str>$0 set { balance := .balance + <int64>$1 }) { name, balance }
