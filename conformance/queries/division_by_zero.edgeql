# name: division_by_zero
# result: one float64
select 1 / 0
