# name: echo_str
# args: v str
# result: one str
select <str>$0
