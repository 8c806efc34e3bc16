# name: echo_float32
# args: v float32
# result: one float32
select <float32>$0
