# name: echo_datetime
# args: v datetime
# result: one datetime
select <datetime>$0
