# name: insert_with_note
# args: name str, balance int64, note optional str
# result: none
insert Account { name := <str>$0, balance := <int64>$1, note := <optional str>$2 }
