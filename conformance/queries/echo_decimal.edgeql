# name: echo_decimal
# args: v str
# result: one str
select <str><decimal><str>$0
