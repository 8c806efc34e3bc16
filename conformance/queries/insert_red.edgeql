# name: insert_red
# args: name str, balance int64
# result: none
insert Account { name := <str>$0, balance := <int64>$1, color := Color.Red, tags := {'x', 'y'} }
