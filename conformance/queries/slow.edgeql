# name: slow
# args: n int64
# result: one int64
select count((range_unpack(range(0, <int64>$0)), range_unpack(range(0, <int64>$0))))
