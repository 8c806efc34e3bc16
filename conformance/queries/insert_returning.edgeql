# name: insert_returning
# args: name str
# result: one {name: str, balance: int64, note: optional str}
select (insert Account { name := <str>$0, balance := 1 }) { name, balance, note }
