# name: insert_with_tags
# args: name str, balance int64, tags array<str>
# result: none
insert Account { name := <str>$0, balance := <int64>$1, tags := array_unpack(<array<str>>$2) }
