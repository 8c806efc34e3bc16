# name: echo_float64
# args: v float64
# result: one float64
select <float64>$0
