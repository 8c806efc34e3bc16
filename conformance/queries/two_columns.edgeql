# name: two_columns
# result: one {n: int64, s: str}
select { n := 1, s := 'x' }
