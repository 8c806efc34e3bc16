# name: two_of_them
# result: many int64
select {1, 2}
