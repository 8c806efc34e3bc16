# name: temp_exists
# result: one bool
# none: EdgeDB keeps no session state that a text could change
