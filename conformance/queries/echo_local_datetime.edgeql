# name: echo_local_datetime
# args: v local_datetime
# result: one local_datetime
select <cal::local_datetime>$0
