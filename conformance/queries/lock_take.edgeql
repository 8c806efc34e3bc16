# name: lock_take
# result: one bool
# none: EdgeDB keeps no session state that a text could change
