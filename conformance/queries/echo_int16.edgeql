# name: echo_int16
# args: v int16
# result: one int16
select <int16>$0
