# name: echo_int64
# args: v int64
# result: one int64
select <int64>$0
