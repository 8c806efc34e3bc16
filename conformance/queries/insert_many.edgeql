# name: insert_many
# args: n int64
# result: none
for i in range_unpack(range(0, <int64>$0)) union (insert Account { name := 'n' ++ <str>i, balance := i })
