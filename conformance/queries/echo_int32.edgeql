# name: echo_int32
# args: v int32
# result: one int32
select <int32>$0
