# name: insert_with_note_named
# named: name str, balance int64, note optional str
# result: none
insert Account { name := <str>$name, balance := <int64>$balance, note := <optional str>$note }
