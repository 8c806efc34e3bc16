# name: insert_account_named
# named: name str, balance int64
# result: none
insert Account { name := <str>$name, balance := <int64>$balance }
