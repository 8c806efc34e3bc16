# name: upsert
# args: name str, balance int64
# result: none
insert Account { name := <str>$0, balance := <int64>$1 } unless conflict on .name else (update Account set { balance := <int64>$1 })
