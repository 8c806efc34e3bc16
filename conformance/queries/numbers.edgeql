# name: numbers
# args: n int64
# result: many int64
select range_unpack(range(0, <int64>$0))
