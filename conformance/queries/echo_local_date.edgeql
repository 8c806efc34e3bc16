# name: echo_local_date
# args: v local_date
# result: one local_date
select <cal::local_date>$0
