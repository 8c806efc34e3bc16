# name: echo_bool
# args: v bool
# result: one bool
select <bool>$0
